-- Ends a claim's lease now: the next claim is told that the outcome is unknown.
--
-- KEYS[1]  the entry
-- ARGV     token
-- Answers  1, or 0 when the token is stale: then nothing is changed
--
-- Invariant: the entry is remembered for as long as it was to be, unsettled.
if redis.call('HGET', KEYS[1], 'state') ~= 'claimed' or redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'lease_until', '0')
return 1
