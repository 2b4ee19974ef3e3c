-- Gives one step of a job, until its lease ends. After job.lua. ARGV[3..]: lease (ms), most steps held at once, token.
-- Reply: {step, '1' if it is the job's first}, or {} and the job is looked at again when something of it lapses.
local at = redis.call('HMGET', RECORD, 'state', 'chunks', 'next', 'expires', 'tell')
local state, chunks, following = at[1], tonumber(at[2]), tonumber(at[3]) or 0
if not state then
  redis.call('ZREM', TURNS, id)
  return {}
end

local function free(step)
  local till = redis.call('ZSCORE', HELD, step)
  return not till or tonumber(till) <= now
end

local function take(step)
  redis.call('ZADD', HELD, now + tonumber(ARGV[3]), step)
  redis.call('HSET', RECORD, 'token:' .. step, ARGV[5])
  redis.call('ZADD', TURNS, now, id)
  if state ~= 'pending' or step == 'x' then return { step, '0' } end
  redis.call('HSET', RECORD, 'state', 'processing')
  return { step, '1' }
end

if now >= tonumber(at[4]) and state ~= 'expired' then
  if free('x') then return take('x') end
elseif ended(state) then
  if at[5] == '1' and free('t') then return take('t') end
elseif not chunks then
  if free('p') then return take('p') end
elseif redis.call('ZCOUNT', HELD, '(' .. string.format('%.0f', now), '+inf') < tonumber(ARGV[4]) then
  local lapsed = redis.call('ZRANGE', HELD, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
  if lapsed then return take(lapsed) end
  if following < chunks then
    redis.call('HSET', RECORD, 'next', following + 1)
    return take(tostring(following))
  end
end
local wake = math.min(now + 60000, now < tonumber(at[4]) and tonumber(at[4]) or now + 60000)
local after = '(' .. string.format('%.0f', now)
local lapses = redis.call('ZRANGE', HELD, after, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
if lapses and tonumber(lapses) < wake then wake = tonumber(lapses) end
redis.call('ZADD', TURNS, wake, id)
return {}
