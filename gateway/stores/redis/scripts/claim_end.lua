-- KEYS: claims. ARGV: token. Only its owner ends a claim.
local ended = 0
for _, claim in ipairs(KEYS) do
  if redis.call('GET', claim) == ARGV[1] then ended = ended + redis.call('DEL', claim) end
end
return ended
