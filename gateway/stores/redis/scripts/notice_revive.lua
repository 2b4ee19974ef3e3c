-- Makes all dead notices due now, as if never tried. After ring.lua (for the clock).
-- KEYS: due times, records, tries, claims, dead. ARGV: now (ms) or ''. Reply: how many
local now = clock(ARGV[1])
local letters = redis.call('LRANGE', KEYS[5], 0, -1)
for _, letter in ipairs(letters) do
  local record = string.match(letter, '^%d+ %S+ %d+ (.*)$')
  local id = cjson.decode(record)[1]
  redis.call('HSET', KEYS[2], id, record)
  redis.call('ZADD', KEYS[1], now, id)
end
redis.call('DEL', KEYS[5])
return #letters
