-- KEYS: claims. ARGV: token, ms. Only its owner extends a claim.
local extended = 0
for _, claim in ipairs(KEYS) do
  if redis.call('GET', claim) == ARGV[1] then extended = extended + redis.call('PEXPIRE', claim, ARGV[2]) end
end
return extended
