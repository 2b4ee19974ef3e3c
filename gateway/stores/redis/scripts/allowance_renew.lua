-- The heartbeat of running calls. After ring.lua. A slot that ran out stays out: it may be somebody else's by now.
-- KEYS: slots. ARGV: now or '', lease ms, leases …
local now = clock(ARGV[1])
for position = 3, #ARGV do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[position])
  if ends and tonumber(ends) > now then
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[position])
  end
end
return 0
