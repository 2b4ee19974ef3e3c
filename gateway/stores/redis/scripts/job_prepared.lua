-- A job's input was read. After job.lua. ARGV[3..]: token, chunks, lines, what to say if there are none.
-- Reply: the job's state, '' if somebody else had it meanwhile.
if not mine('p', ARGV[3]) then return '' end
release('p')
local state = redis.call('HGET', RECORD, 'state')
redis.call('HSET', RECORD, 'chunks', ARGV[4], 'total', ARGV[5])
if ended(state) then return state end
if ARGV[4] == '0' then
  finish('failed', ARGV[6])
  return 'failed'
end
redis.call('ZADD', TURNS, now, id)
return state
