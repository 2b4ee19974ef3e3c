-- A pause that the upstream asked for. After ring.lua. It is only ever made longer.
-- KEYS: pause. ARGV: now or '', ms
local now = clock(ARGV[1])
local ends = now + tonumber(ARGV[2])
if ends > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', ARGV[2])
end
return 0
