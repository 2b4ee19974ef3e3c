-- A job's end was told ('t'), or its files are deleted ('x'). After job.lua. ARGV[3..]: step, token, seconds that the record
-- of an expired job is kept. Reply: the job's state, '' if the step is somebody else's
if not mine(ARGV[3], ARGV[4]) then return '' end
if ARGV[3] == 't' then
  redis.call('HSET', RECORD, 'tell', '0')
  release('t')
else
  if not ended(redis.call('HGET', RECORD, 'state')) then finish('expired', '') end
  redis.call('HSET', RECORD, 'state', 'expired')
  redis.call('DEL', HELD)
  redis.call('EXPIRE', RECORD, ARGV[5])
end
local at = redis.call('HMGET', RECORD, 'state', 'expires', 'tell')
if at[1] ~= 'expired' then
  redis.call('ZADD', TURNS, at[2], id)
elseif at[3] == '1' then
  redis.call('ZADD', TURNS, now, id)
else
  redis.call('ZREM', TURNS, id)
end
return at[1]
