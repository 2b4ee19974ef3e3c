-- Adds up a chunk, once; the last one ends the job. After job.lua.
-- ARGV[3..]: chunk, completed, failed, tokens, what to say if no line was answered. Reply: the state, '' if not held.
if redis.call('ZREM', HELD, ARGV[3]) == 0 then return '' end
local completed = redis.call('HINCRBY', RECORD, 'completed', ARGV[4])
redis.call('HINCRBY', RECORD, 'failed', ARGV[5])
redis.call('HINCRBY', RECORD, 'tokens', ARGV[6])
local done = redis.call('HINCRBY', RECORD, 'done', 1)
local at = redis.call('HMGET', RECORD, 'state', 'chunks')
if ended(at[1]) then return at[1] end
if done < tonumber(at[2]) then
  redis.call('ZADD', TURNS, now, id)
  return at[1]
end
local state = completed > 0 and 'completed' or 'failed'
finish(state, completed > 0 and '' or ARGV[7])
return state
