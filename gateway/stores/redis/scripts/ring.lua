-- A ring counts a window of 60 s in buckets of one second. 61 buckets count: the running one, 59 whole ones and the
-- partial oldest one, so that no true window of 60 s ever holds more than the limit.
-- Hash: s = sum of all counted buckets, h = newest bucket (seconds), 0..60 = amount of the bucket with that remainder.
local COUNTED = 61
local WINDOW_MS = 60000

local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Drops what has aged out. Returns the newest bucket and the sum. A clock that was set back a little does not turn
-- the ring back; one that was far ahead keeps its sum in the present bucket, lest nothing ages out for hours.
local function ring_turn(key, bucket)
  local state = redis.call('HMGET', key, 'h', 's')
  local head, sum = tonumber(state[1]), tonumber(state[2]) or 0
  if not head then return bucket, 0 end
  local ahead = bucket - head
  if ahead == 0 or (ahead < 0 and ahead > -COUNTED) then return head, sum end
  if ahead >= COUNTED or sum == 0 then
    redis.call('DEL', key)
    return bucket, 0
  end
  if ahead < 0 then
    redis.call('DEL', key)
    redis.call('HSET', key, 'h', bucket, 's', sum, bucket % COUNTED, sum)
    return bucket, sum
  end
  local old = {}
  for number = head + 1, bucket do old[#old + 1] = number % COUNTED end
  for _, amount in ipairs(redis.call('HMGET', key, unpack(old))) do
    if amount then sum = sum - amount end
  end
  redis.call('HDEL', key, unpack(old))
  redis.call('HSET', key, 'h', bucket, 's', sum)
  return bucket, sum
end

-- Adds to a bucket that still counts; `head` is what ring_turn returned.
local function ring_add(key, head, bucket, amount)
  if amount == 0 then return end
  redis.call('HINCRBY', key, bucket % COUNTED, amount)
  redis.call('HINCRBY', key, 's', amount)
  redis.call('HSET', key, 'h', head)
end

local function ring_counts(head, bucket)
  return bucket > head - COUNTED and bucket <= head
end

-- Milliseconds until `excess` has aged out, walking from the oldest bucket.
local function ring_wait(key, head, excess, now)
  local order = {}
  for number = head - COUNTED + 1, head do order[#order + 1] = number % COUNTED end
  local freed = 0
  for position, amount in ipairs(redis.call('HMGET', key, unpack(order))) do
    if amount then freed = freed + amount end
    if freed >= excess then return (head + position) * 1000 - now end
  end
  return WINDOW_MS
end
