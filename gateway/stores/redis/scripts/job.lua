-- A batch job. After ring.lua (for the clock); put in front of the job scripts.
-- KEYS of each: when jobs are looked at next, the job's record, its held steps (zset, score = until when), its tenant's
-- jobs that have not ended. ARGV of each: now (ms) or '', the job's id, then the script's own.
-- Steps: 'p' = prepare, a number = that chunk, 't' = tell, 'x' = expire.
local TURNS, RECORD, HELD, OPEN = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, id = clock(ARGV[1]), ARGV[2]

local function ended(state)
  return state ~= 'pending' and state ~= 'processing'
end

-- Whether a step is still that of who took it under a token; a lapsed one is, until somebody else takes it.
local function mine(step, token)
  return redis.call('ZSCORE', HELD, step) and redis.call('HGET', RECORD, 'token:' .. step) == token
end

local function release(step)
  redis.call('ZREM', HELD, step)
  redis.call('HDEL', RECORD, 'token:' .. step)
end

-- What is at work stays held, so that its results can still be added; what was given back is taken by nobody.
local function finish(state, why)
  redis.call('HSET', RECORD, 'state', state, 'ended', now, 'error', why)
  redis.call('SREM', OPEN, id)
  redis.call('ZREMRANGEBYSCORE', HELD, '-inf', now)
  redis.call('ZADD', TURNS, now, id)
end
