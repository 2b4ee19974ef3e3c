-- One of those who found what nobody can read where an answer should be gets the claim.
-- KEYS: the place of an answer. ARGV: the claim, ms, what was found. Reply: 1 = it is ours
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
