-- Renews leases, gives back what owners held whose lease is over, and brings what has become due.
--
-- KEYS  1 owners · 2 owners whose lease is over · 3 later · 4 messages of later · 5 when a lease was renewed last
-- ARGV  1 prefix · 2 lease (ms) · 3 most messages to move in this call · 4 deaths that send to the intake
--       5 "renew", or "end": the owners named give back all that they hold and are gone
--       6 … owners
-- Returns {more: 1 if there is more to move at once, ms until something else is due or -1, owner that is lost, …}.
--
-- An owner in KEYS[2] is never renewed: some of its messages may be somebody else's already. Its score there says how
-- it came there: 0 by its own will (what it held is given back), else its lease ran out (what it had started died).
-- A call is bounded; who calls next goes on where it stopped. Two at once can't be: scripts run one after the other.

local P, lease, budget, deaths_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local lost = {}

for i = 6, #ARGV do
    if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
        lost[#lost + 1] = ARGV[i]
    elseif ARGV[5] == 'end' then
        redis.call('ZADD', KEYS[2], 0, ARGV[i])
        redis.call('ZREM', KEYS[1], ARGV[i])
    else
        redis.call('ZADD', KEYS[1], now + lease, ARGV[i])
    end
end

-- Silence for half a lease means that nobody could renew: the server was down, frozen or cut off. Then every owner gets
-- three tenths of a lease to come back, or a restart of the server would take away what living workers are working on.
-- It is enough for whoever lives: one attempt to reconnect takes a quarter at most, and the next begins at once. It is
-- no more, as a lone worker that has died and is started again is as silent.
local heard = tonumber(redis.call('GET', KEYS[5]) or now)
if now - heard > lease / 2 then
    local grace = lease * 3 / 10
    for _, owner in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now + grace)) do
        redis.call('ZADD', KEYS[1], now + grace, owner)
    end
end
redis.call('SET', KEYS[5], now)

for _, owner in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZADD', KEYS[2], now, owner)
    redis.call('ZREM', KEYS[1], owner)
end

-- The highest numbers first: what was taken first ends up at the very front again.
local function numbers_of(held)
    local numbers = {}
    for _, field in ipairs(redis.call('HKEYS', held)) do
        if field ~= 'n' then numbers[#numbers + 1] = tonumber(field) end
    end
    table.sort(numbers, function(a, b) return a > b end)
    return numbers
end

local function empty_out(owner, over)
    local held, waiting = P .. 'tasks.held:' .. owner, P .. 'tasks.waiting:' .. owner
    for _, number in ipairs(numbers_of(held)) do
        if budget <= 0 then return end
        local started = redis.call('SISMEMBER', waiting, number) == 0
        hand_back(P, owner, number, redis.call('HGET', held, number), started, over and started, deaths_max, now)
        redis.call('HDEL', held, number)
        budget = budget - 1
    end
    redis.call('DEL', held, waiting)
    redis.call('ZREM', KEYS[2], owner)
end

local over = redis.call('ZRANGE', KEYS[2], 0, 9, 'WITHSCORES')
for i = 1, #over, 2 do
    if budget > 0 then empty_out(over[i], tonumber(over[i + 1]) > 0) end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, math.max(budget, 0))) do
    local record = redis.call('HGET', KEYS[4], id)
    if record then
        local key, raw = key_and_raw(record)
        push_back(P, id, key, raw, '', now)
    end
    redis.call('HDEL', KEYS[4], id)
    redis.call('ZREM', KEYS[3], id)
    budget = budget - 1
end

local next_at = -1
for _, key in ipairs({ KEYS[1], KEYS[3] }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] and (next_at < 0 or tonumber(first[2]) < next_at) then next_at = tonumber(first[2]) end
end
local more = budget <= 0 or redis.call('EXISTS', KEYS[2]) == 1
local reply = { more and 1 or 0, next_at < 0 and -1 or math.max(next_at - now, 0) }
for _, owner in ipairs(lost) do reply[#reply + 1] = owner end
return reply
