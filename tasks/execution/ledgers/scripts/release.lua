-- Gives a claimed key back: nothing has happened under it.
--
-- KEYS[1]  the entry
-- ARGV     token
-- Answers  1, or 0 when the token is stale: then nothing is changed
--
-- Invariant: the token stays, so that the next one is larger.
if redis.call('HGET', KEYS[1], 'state') ~= 'claimed' or redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'free')
return 1
