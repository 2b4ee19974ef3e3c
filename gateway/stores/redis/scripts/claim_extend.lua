-- KEYS: claim. ARGV: token, ms. Only its owner extends a claim.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
