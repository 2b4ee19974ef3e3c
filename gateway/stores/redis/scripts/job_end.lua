-- Cancels a job, or lets it fail. After job.lua. ARGV[3..]: state, why. Reply: 1 = now, 0 = it has ended before.
local state = redis.call('HGET', RECORD, 'state')
if not state or ended(state) then return 0 end
finish(ARGV[3], ARGV[4])
return 1
