-- Does with messages that an owner holds whatever is not an acknowledgement.
--
-- KEYS  1 owners · 2 held · 3 waiting
-- ARGV  1 prefix · 2 owner · 3 deaths that make a message go to the intake (0: never)
--       then triplets: what, number, detail:
--         ack, -             it is done; detail "-" or the SHA-1 under which its counts are
--         back, -            given back unharmed, to the front of its list
--         died, -            whoever ran it is dead; the same, or the intake
--         intake, reason     no worker can be given it
--         later, delay (ms)  not before so long from now
--         waiting, -         not started yet (detail "again": this may be the second time it is said)
--         started, -         it is about to run
--         beyond, -          give back all that has a higher number than this, and be given nothing more: its channel is
--                            closed, and whatever it claimed may arrive after this
-- Returns 1, or -1 if the lease is lost: then nothing was done. A message that isn't held any more is passed over, so
-- calling it twice does no harm. Messages given back together should come with the highest number first.

local P, owner, deaths_max = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
if not redis.call('ZSCORE', KEYS[1], owner) then return -1 end

local function let_go(number)
    redis.call('HDEL', KEYS[2], number)
    redis.call('SREM', KEYS[3], number)
end

local function started(number)
    return redis.call('SISMEMBER', KEYS[3], number) == 0
end

local does = {}

function does.ack(number, record, detail)
    if detail ~= '-' then redis.call('DEL', P .. 'tasks.counts:' .. detail) end
    let_go(number)
end

function does.back(number, record)
    hand_back(P, owner, number, record, started(number), false, deaths_max, now)
    let_go(number)
end

function does.died(number, record)
    hand_back(P, owner, number, record, true, true, deaths_max, now)
    let_go(number)
end

function does.intake(number, record, reason)
    local key, raw = key_and_raw(record)
    local counts = counts_read(P, raw)
    counts[1] = counts[1] + 1
    intake_add(P, owner .. ':' .. number, reason, key, raw, counts, owner, now)
    redis.call('DEL', P .. 'tasks.counts:' .. redis.sha1hex(raw))
    let_go(number)
end

function does.later(number, record, delay)
    local id = owner .. ':' .. number
    redis.call('HSET', P .. 'tasks.later.messages', id, record)
    redis.call('ZADD', P .. 'tasks.later', now + tonumber(delay), id)
    let_go(number)
end

function does.waiting(number) redis.call('SADD', KEYS[3], number) end

function does.started(number) redis.call('SREM', KEYS[3], number) end

local function beyond(known)
    for number = tonumber(redis.call('HGET', KEYS[2], 'n') or 0), known + 1, -1 do
        local record = redis.call('HGET', KEYS[2], number)
        if record then
            redis.call('SADD', KEYS[3], number)
            does.back(number, record)
        end
    end
    redis.call('SADD', KEYS[3], 'closed')
end

for i = 4, #ARGV, 3 do
    local what, number, detail = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if what == 'beyond' then
        beyond(tonumber(number))
    else
        local record = redis.call('HGET', KEYS[2], number)
        if record then does[what](number, record, detail) end
    end
end
return 1
