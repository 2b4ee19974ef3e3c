-- Changes tenants and keys and logs it, all or nothing, unless somebody else has changed them since they were read.
-- KEYS: version, tenants, keys, audit. ARGV: version read, new version, entry, most entries kept, then for each edit:
-- which of KEYS, name, record or '' to take it out. Reply: 1 = changed
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for at = 5, #ARGV, 3 do
  local records, name, record = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  if record == '' then
    redis.call('HDEL', records, name)
  else
    redis.call('HSET', records, name, record)
  end
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', 'entry', ARGV[3])
return 1
