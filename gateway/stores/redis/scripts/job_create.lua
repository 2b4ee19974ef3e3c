-- Keeps a new job unless its tenant has too many. After job.lua. KEYS[5], KEYS[6]: the tenant's jobs and all jobs by age.
-- ARGV[3..]: order, expires (ms), '1' if its end is to be told, lines or '', most jobs that have not ended.
-- Reply: 1 = kept. None of these keys expires: a store under memory pressure evicts keys with an expiry.
if redis.call('SCARD', OPEN) >= tonumber(ARGV[7]) then return 0 end
redis.call('HSET', RECORD, 'order', ARGV[3], 'expires', ARGV[4], 'tell', ARGV[5], 'state', 'pending')
if ARGV[6] ~= '' then redis.call('HSET', RECORD, 'total', ARGV[6]) end
redis.call('SADD', OPEN, id)
redis.call('ZADD', TURNS, now, id)
redis.call('ZADD', KEYS[5], now, id)
redis.call('ZADD', KEYS[6], now, id)
return 1
