-- KEYS: claim. ARGV: token. Only its owner ends a claim.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
