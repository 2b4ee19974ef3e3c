-- Adds up a chunk, once; the last one ends the job. After job.lua.
-- ARGV[3..]: chunk, token, completed, failed, tokens, what to say if no line was answered. Reply: the state, '' if not held.
if not mine(ARGV[3], ARGV[4]) then return '' end
release(ARGV[3])
local completed = redis.call('HINCRBY', RECORD, 'completed', ARGV[5])
redis.call('HINCRBY', RECORD, 'failed', ARGV[6])
redis.call('HINCRBY', RECORD, 'tokens', ARGV[7])
local done = redis.call('HINCRBY', RECORD, 'done', 1)
local at = redis.call('HMGET', RECORD, 'state', 'chunks')
if ended(at[1]) then return at[1] end
if done < tonumber(at[2]) then
  redis.call('ZADD', TURNS, now, id)
  return at[1]
end
local state = completed > 0 and 'completed' or 'failed'
finish(state, completed > 0 and '' or ARGV[8])
return state
