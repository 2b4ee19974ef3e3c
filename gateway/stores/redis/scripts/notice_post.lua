-- Claims an occasion and keeps the notices about it, both or nothing. After ring.lua (for the clock).
-- KEYS: due times, records, tries, claims, dead. ARGV: now (ms) or '', claim, when it may be forgotten (ms or '+inf'),
-- then for each notice: id, record. Reply: 1 = claimed now (0 = somebody has done so before)
-- None of these keys expires: a store under memory pressure evicts keys with an expiry.
local now = clock(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. string.format('%.0f', now))
if redis.call('ZADD', KEYS[4], 'NX', ARGV[3], ARGV[2]) == 0 then return 0 end
for at = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  redis.call('ZADD', KEYS[1], now, ARGV[at])
end
return 1
