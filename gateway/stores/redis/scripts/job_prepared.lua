-- A job's input was read. After job.lua. ARGV[3..]: chunks, lines, what to say if there are none.
-- Reply: the job's state, '' if somebody else had it meanwhile.
if redis.call('ZREM', HELD, 'p') == 0 then return '' end
local state = redis.call('HGET', RECORD, 'state')
redis.call('HSET', RECORD, 'chunks', ARGV[3], 'total', ARGV[4])
if ended(state) then return state end
if ARGV[3] == '0' then
  finish('failed', ARGV[5])
  return 'failed'
end
redis.call('ZADD', TURNS, now, id)
return state
