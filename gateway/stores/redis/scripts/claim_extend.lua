-- KEYS: places of answers. ARGV: the claim, ms. Only its owner extends it, and an answer lives as long as it would.
local extended = 0
for _, place in ipairs(KEYS) do
  if redis.call('GET', place) == ARGV[1] then extended = extended + redis.call('PEXPIRE', place, ARGV[2]) end
end
return extended
