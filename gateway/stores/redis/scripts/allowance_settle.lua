-- The end of a call: what it drew leaves the bucket it was drawn in, what it used counts from now. After ring.lua.
-- KEYS: slots, requests ring, tokens ring
-- ARGV: now or '', lease, bucket of the draw, drawn tokens, used requests, used tokens
local now = clock(ARGV[1])
local drawn_in, bucket = tonumber(ARGV[3]), math.floor(now / 1000)

local function move(key, drawn, used)
  local head = ring_turn(key, bucket)
  if ring_counts(head, drawn_in) then
    local there = tonumber(redis.call('HGET', key, drawn_in % COUNTED) or 0)
    ring_add(key, head, drawn_in, -math.min(drawn, there))
  end
  ring_add(key, head, head, used)
end

redis.call('ZREM', KEYS[1], ARGV[2])
move(KEYS[2], 1, tonumber(ARGV[5]))
move(KEYS[3], tonumber(ARGV[4]), tonumber(ARGV[6]))
return 0
