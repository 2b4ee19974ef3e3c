-- Keeps a new classifier unless its tenant has as many as it may.
-- KEYS: the tenant's ids, record. ARGV: id, most, fixed part, changing part, weights, seconds since 1970. Reply: 1 = kept
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[6])
redis.call('HSET', KEYS[2], 'fixed', ARGV[3], 'state', ARGV[4], 'weights', ARGV[5], 'version', 1, 'updated', ARGV[6])
return 1
