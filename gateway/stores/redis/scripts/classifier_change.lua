-- Replaces what a training changes, if nobody else has since it was read: a compare-and-set on the version.
-- KEYS: record. ARGV: version read, changing part, weights, seconds since 1970. Reply: done, stale or gone
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'gone' end
if version ~= ARGV[1] then return 'stale' end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'weights', ARGV[3], 'updated', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return 'done'
