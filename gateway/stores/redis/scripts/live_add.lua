-- Adds amounts to a slot of time, for everybody who looks at the last minutes.
-- KEYS: 1 the slot. ARGV: 1 seconds to keep it, then name, amount, name, amount …
for position = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[position], ARGV[position + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 0
