-- One question, all or nothing. After ring.lua and ledger.lua.
-- ARGV: now or '', lease, step, requests, tokens, slot (0 or 1), request, token and concurrency limit (-1 = none), lease ms
-- Reply: refusal (0 none, 1 requests, 2 concurrency, 3 tokens, 4 settled), wait in ms, used requests, tokens, slots
local now = clock(ARGV[1])
local lease, step = ARGV[2], ARGV[3]
local requests, tokens, slot = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local request_limit, token_limit, slot_limit = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local lease_ms = tonumber(ARGV[10])
local bucket = math.floor(now / 1000)

prune(now)
local request_head, used_requests = ring_turn(REQUESTS, bucket)
local token_head, used_tokens = ring_turn(TOKENS, bucket)
local used_slots = slots(now)

local function reply(refusal, wait) return { refusal, wait, used_requests, used_tokens, used_slots } end

if requests == 0 and tokens == 0 and slot == 0 then return reply(0, 0) end

local packed = redis.call('HGET', RECORDS, lease)
local record = packed and cmsgpack.unpack(packed) or { d = {}, r = {}, t = {} }
local first = record.d[step]
if first then return { 0, 0, first[1], first[2], first[3] } end
if not packed and redis.call('ZSCORE', TIMES, lease) then return reply(4, 0) end

local function wait_for(key, head, used, amount, limit)
  if amount > limit then return WINDOW_MS end
  return ring_wait(key, head, used + amount - limit, now)
end

if requests > 0 and request_limit >= 0 and used_requests + requests > request_limit then
  return reply(1, wait_for(REQUESTS, request_head, used_requests, requests, request_limit))
end
local held = slot == 1 and redis.call('ZSCORE', LEASES, lease)
if slot == 1 and not held and slot_limit >= 0 and used_slots >= slot_limit then return reply(2, 1000) end
if tokens > 0 and token_limit >= 0 and used_tokens + tokens > token_limit then
  return reply(3, wait_for(TOKENS, token_head, used_tokens, tokens, token_limit))
end

ring_add(REQUESTS, request_head, request_head, requests)
ring_add(TOKENS, token_head, token_head, tokens)
if requests > 0 then record.r[#record.r + 1] = { request_head, requests } end
if tokens > 0 then record.t[#record.t + 1] = { token_head, tokens } end
used_requests, used_tokens = used_requests + requests, used_tokens + tokens
if slot == 1 then
  redis.call('ZADD', LEASES, now + lease_ms, lease)
  if not held then used_slots = used_slots + 1 end
end
record.d[step] = { used_requests, used_tokens, used_slots }
redis.call('HSET', RECORDS, lease, cmsgpack.pack(record))
redis.call('ZADD', TIMES, now + lease_ms + RECORD_MS, lease)
return reply(0, 0)
