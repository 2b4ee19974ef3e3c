-- A worker lives. After ring.lua (for the clock).
-- KEYS: workers by when they run out. ARGV: now or '', worker, ms. Reply: how many live, which of them this is, now in ms.
-- A worker counts as one for some minutes after it was last heard of: a share of a limit that somebody may still be
-- spending must not be given to others.
local KEPT_MS = 300000
local now = clock(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - KEPT_MS)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[2])
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(names)
for position, name in ipairs(names) do
  if name == ARGV[2] then return { #names, position - 1, now } end
end
return { #names, 0, now }
