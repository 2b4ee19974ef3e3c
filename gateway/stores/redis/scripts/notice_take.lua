-- Gives the notice that is due for the longest time to one worker, until its lease ends. After ring.lua (for the clock).
-- KEYS: due times, records, tries, claims, dead. ARGV: now (ms) or '', lease (ms). Reply: record and tries, this one
-- among them; or nothing
local now = clock(ARGV[1])
for _ = 1, 16 do
  local id = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not id then return {} end
  local record = redis.call('HGET', KEYS[2], id)
  if record then
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), id)
    return { record, redis.call('HINCRBY', KEYS[3], id, 1) }
  end
  redis.call('ZREM', KEYS[1], id)
end
return {}
