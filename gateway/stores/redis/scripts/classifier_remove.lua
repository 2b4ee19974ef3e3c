-- KEYS: the tenant's ids, record. ARGV: id. Reply: 1 = it was there
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])
