-- Adds a batch to a tenant's ledger, once. Amounts go to HINCRBY as they came: Lua's numbers would lose large ones.
-- None of these keys expires: a store under memory pressure evicts keys with an expiry only.
-- KEYS: writers, hours, sums of all time, one hash for each hour of the batch
-- ARGV: now (s), writer, sequence, settled, seconds a silent writer is remembered, oldest hour to keep,
--       then for the sums (their hour is '') and for each hour: hour, number of fields, field, amount, field, amount …
-- Reply: 1 = added (0 = was added before), then some hours older than the oldest to keep
local WRITERS, HOURS = KEYS[1], KEYS[2]
local now, writer, sequence, settled = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local PRUNED = 32

-- A writer's record: when it last added, up to where all is settled, the batches after that.
local known = redis.call('HGET', WRITERS, writer)
local taken, again = {}, false
if known then
  local numbers = {}
  for number in string.gmatch(known, '%d+') do numbers[#numbers + 1] = tonumber(number) end
  settled = math.max(settled, numbers[2])
  for position = 3, #numbers do
    if numbers[position] == sequence then again = true end
    if numbers[position] > settled then taken[#taken + 1] = numbers[position] end
  end
else
  local all = redis.call('HGETALL', WRITERS)
  for position = 1, #all, 2 do
    local last = tonumber(string.match(all[position + 1], '^%d+'))
    if last < now - tonumber(ARGV[5]) then redis.call('HDEL', WRITERS, all[position]) end
  end
end

local reply = { 0 }
if not again and sequence > settled then
  reply[1] = 1
  local at = 7
  for position = 3, #KEYS do
    if ARGV[at] ~= '' then redis.call('ZADD', HOURS, ARGV[at], ARGV[at]) end
    local fields = tonumber(ARGV[at + 1])
    for field = at + 2, at + 2 * fields, 2 do
      redis.call('HINCRBY', KEYS[position], ARGV[field], ARGV[field + 1])
    end
    at = at + 2 + 2 * fields
  end
  taken[#taken + 1] = sequence
  local record = { string.format('%.0f', now), string.format('%.0f', settled) }
  for _, number in ipairs(taken) do record[#record + 1] = string.format('%.0f', number) end
  redis.call('HSET', WRITERS, writer, table.concat(record, ' '))
end
for _, hour in ipairs(redis.call('ZRANGE', HOURS, '-inf', '(' .. ARGV[6], 'BYSCORE', 'LIMIT', 0, PRUNED)) do
  reply[#reply + 1] = tonumber(hour)
end
return reply
