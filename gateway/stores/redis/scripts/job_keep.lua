-- Holds a step until then: the lease goes on, or it is given back. After job.lua.
-- ARGV[3..]: step, token, for how long (ms), '1' if it is given back. Reply: the job's state, '' if the step is not held.
if not mine(ARGV[3], ARGV[4]) then return '' end
local till = now + tonumber(ARGV[5])
local state = redis.call('HGET', RECORD, 'state') or ''
if ARGV[6] == '1' and ended(state) and ARGV[3] ~= 't' and ARGV[3] ~= 'x' then
  release(ARGV[3])
  return state
end
redis.call('ZADD', HELD, till, ARGV[3])
if ARGV[6] == '1' then
  local turn = redis.call('ZSCORE', TURNS, id)
  if turn and tonumber(turn) > till then redis.call('ZADD', TURNS, till, id) end
end
return state
