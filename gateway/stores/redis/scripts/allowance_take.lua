-- One call's draw on an upstream key, all or nothing. After ring.lua. The rings never expire: an evicted one would send
-- more than the upstream allows.
-- KEYS: slots, requests ring, tokens ring, pause
-- ARGV: now or '', lease, tokens, request, token and slot limit (-1 = none), lease ms
-- Reply: refusal (0 none, 1 paused, 2 requests, 3 tokens, 4 slots), wait in ms, bucket
local SLOTS, REQUESTS, TOKENS, PAUSE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now = clock(ARGV[1])
local lease, tokens = ARGV[2], tonumber(ARGV[3])
local request_limit, token_limit, slot_limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local bucket = math.floor(now / 1000)

local paused_until = tonumber(redis.call('GET', PAUSE) or 0)
if paused_until > now then return { 1, paused_until - now, 0 } end

local function room(key, limit, amount)
  local head, used = ring_turn(key, bucket)
  if limit < 0 or used + amount <= limit then return head, 0 end
  if amount > limit then return head, WINDOW_MS end
  return head, math.max(1, ring_wait(key, head, used + amount - limit, now))
end

local request_head, request_wait = room(REQUESTS, request_limit, 1)
if request_wait > 0 then return { 2, request_wait, 0 } end
local token_head, token_wait = room(TOKENS, token_limit, tokens)
if token_wait > 0 then return { 3, token_wait, 0 } end
if slot_limit >= 0 then
  redis.call('ZREMRANGEBYSCORE', SLOTS, '-inf', now)
  if redis.call('ZCARD', SLOTS) >= slot_limit then return { 4, 0, 0 } end
  redis.call('ZADD', SLOTS, now + tonumber(ARGV[7]), lease)
end
ring_add(REQUESTS, request_head, request_head, 1)
ring_add(TOKENS, token_head, token_head, tokens)
return { 0, 0, request_head }
