-- How long a pause still lasts, in ms. After ring.lua (for the clock).
-- KEYS: pause. ARGV: now or ''
return math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - clock(ARGV[1]))
