-- Ends whoever's claim where no answer will come. KEYS: the place of an answer. ARGV: what claims begin with.
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
