-- One event of a counter. After ring.lua. These keys do expire: addresses are without number, and an evicted one
-- forgives some failures, no more.
-- KEYS: ring. ARGV: now or '', limit. Reply: ms to wait, 0 = counted
local now = clock(ARGV[1])
local limit = tonumber(ARGV[2])
local head, used = ring_turn(KEYS[1], math.floor(now / 1000))
if used + 1 > limit then
  if limit < 1 then return WINDOW_MS end
  return math.max(1, ring_wait(KEYS[1], head, used + 1 - limit, now))
end
ring_add(KEYS[1], head, head, 1)
redis.call('PEXPIRE', KEYS[1], (COUNTED + 1) * 1000)
return 0
