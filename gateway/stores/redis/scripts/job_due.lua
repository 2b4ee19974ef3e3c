-- Jobs that may have something to do, the one that was served longest ago first. After job.lua. ARGV[3]: most.
return redis.call('ZRANGE', TURNS, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[3])
