-- What keys that belong together hold at one moment: of each its milliseconds left (-1: for ever) and its serialised
-- value, or false where there is none any more.
local held = {}
for at, key in ipairs(KEYS) do
  held[2 * at - 1] = redis.call('PTTL', key)
  held[2 * at] = redis.call('DUMP', key)
end
return held
