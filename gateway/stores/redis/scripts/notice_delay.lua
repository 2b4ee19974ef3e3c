-- Puts a notice off, unless it was ended meanwhile. After ring.lua (for the clock).
-- KEYS: due times, records, tries, claims, dead. ARGV: now (ms) or '', id, ms. Reply: 1 = it is there
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], clock(ARGV[1]) + tonumber(ARGV[3]), ARGV[2])
return 1
