-- Ends a notice, once: it was delivered, or it is dead and kept among the last dead ones. After ring.lua (for the clock).
-- KEYS: due times, records, tries, claims, dead. ARGV: now (ms) or '', id, why it is dead ('' = delivered), most dead
-- ones. Reply: 1 = ended now
if redis.call('ZREM', KEYS[1], ARGV[2]) == 0 then return 0 end
local record, tries = redis.call('HGET', KEYS[2], ARGV[2]), redis.call('HGET', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
if ARGV[3] ~= '' and record then
  local at = string.format('%.0f', clock(ARGV[1]))
  redis.call('LPUSH', KEYS[5], table.concat({ at, ARGV[3], tries or '0', record }, ' '))
  redis.call('LTRIM', KEYS[5], 0, tonumber(ARGV[4]) - 1)
end
return 1
