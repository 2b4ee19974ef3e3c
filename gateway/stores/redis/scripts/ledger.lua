-- What is known of each lease. A running lease has a packed record (what it reserved, and the replies it got); a
-- settled one has only its time left, a tombstone that keeps late questions from taking anything.
-- None of these keys expires: a store under memory pressure evicts keys with an expiry only, which are the cache's;
-- an evicted counter would admit too much without a word. Old records are dropped here, a few on every call.
local PRUNED = 32
local RECORD_MS = 600000

local LEASES, RECORDS, TIMES, REQUESTS, TOKENS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function prune(now)
  local gone = redis.call('ZRANGE', LEASES, '-inf', now, 'BYSCORE', 'LIMIT', 0, PRUNED)
  if #gone > 0 then redis.call('ZREM', LEASES, unpack(gone)) end
  local old = redis.call('ZRANGE', TIMES, '-inf', now, 'BYSCORE', 'LIMIT', 0, PRUNED)
  if #old > 0 then
    redis.call('ZREM', TIMES, unpack(old))
    redis.call('HDEL', RECORDS, unpack(old))
  end
end

local function slots(now)
  return redis.call('ZCOUNT', LEASES, '(' .. string.format('%.0f', now), '+inf')
end
