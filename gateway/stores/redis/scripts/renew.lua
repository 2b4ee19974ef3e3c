-- The heartbeat of running leases. After ring.lua and ledger.lua. A lease that ran out stays out: its slot may be
-- somebody else's by now.
-- ARGV: now or '', lease ms, leases …
local now = clock(ARGV[1])
local lease_ms = tonumber(ARGV[2])
for position = 3, #ARGV do
  local lease = ARGV[position]
  local until_ms = redis.call('ZSCORE', LEASES, lease)
  if until_ms and tonumber(until_ms) > now then redis.call('ZADD', LEASES, now + lease_ms, lease) end
  if redis.call('HEXISTS', RECORDS, lease) == 1 then
    redis.call('ZADD', TIMES, 'XX', now + lease_ms + RECORD_MS, lease)
  end
end
return 0
