-- The end of a lease. After ring.lua and ledger.lua.
-- ARGV: now or '', lease, used requests, used tokens, ms the tombstone stays
-- Reply: used requests, tokens, slots of the subject
local now = clock(ARGV[1])
local lease = ARGV[2]
local bucket = math.floor(now / 1000)

local request_head, used_requests = ring_turn(REQUESTS, bucket)
local token_head, used_tokens = ring_turn(TOKENS, bucket)

-- Corrects what was reserved (a list of bucket, amount) to `used`, in the reservation's own buckets. What has aged out
-- cannot be given back; what was used beyond the reservation is charged now when its bucket has aged out. Returns the
-- change of the sum.
local function correct(key, head, reserved, used)
  local more = used
  for _, part in ipairs(reserved) do more = more - part[2] end
  if more > 0 then
    local last = reserved[#reserved]
    local target = last and ring_counts(head, last[1]) and last[1] or head
    ring_add(key, head, target, more)
    return more
  end
  local change = 0
  for position = #reserved, 1, -1 do
    local back = math.min(reserved[position][2], -more)
    more = more + back
    if back > 0 and ring_counts(head, reserved[position][1]) then
      local there = tonumber(redis.call('HGET', key, reserved[position][1] % COUNTED) or 0)
      back = math.min(back, there)
      ring_add(key, head, reserved[position][1], -back)
      change = change - back
    end
  end
  return change
end

redis.call('ZREM', LEASES, lease)
local packed = redis.call('HGET', RECORDS, lease)
if packed or not redis.call('ZSCORE', TIMES, lease) then
  local record = packed and cmsgpack.unpack(packed) or { r = {}, t = {} }
  used_requests = used_requests + correct(REQUESTS, request_head, record.r, tonumber(ARGV[3]))
  used_tokens = used_tokens + correct(TOKENS, token_head, record.t, tonumber(ARGV[4]))
  redis.call('HDEL', RECORDS, lease)
  redis.call('ZADD', TIMES, now + tonumber(ARGV[5]), lease)
end
prune(now)
return { used_requests, used_tokens, slots(now) }
