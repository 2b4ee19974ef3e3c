-- Counts a use of what is still there. KEYS: record. ARGV: seconds since 1970
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'uses', 1)
redis.call('HSET', KEYS[1], 'used', ARGV[1])
return 1
