-- Takes messages off the lists for an owner, after it has acknowledged others.
--
-- KEYS  1 owners · 2 held · 3 waiting · 4 … the lists, the most urgent priority first: for each priority each queue
-- ARGV  1 prefix · 2 owner · 3 lease (ms) · 4 "begin" until the owner has had an answer · 5 room: how many to take
--       6 known: number of the last message that the owner has heard of · 7 most bytes of a message
--       8 "1": what is taken waits before it is started · 9 how many queues · 10 queue to begin with (from 0)
--       11 … quantum of each queue: how many in a row before the next queue's turn
--       then the numbers that are acknowledged, "number sha1" if counts are to be forgotten with them
-- Returns {-1} if the lease is lost; else {1 if there may be more, message, …}: a message is number, place of its list
--       in KEYS from 1, delivered, started, died, given_back (six big-endian unsigned 4-byte integers), then its bytes.
--
-- Calling it again with the same `known` gives the same messages again: an answer that was lost loses nothing.
-- Where less is found than there was room for, all lists have been read by a command that the server tracks: the
-- connection is told of the next push to any of them (CLIENT TRACKING).

local P, owner, known = ARGV[1], ARGV[2], tonumber(ARGV[6])
local room, most_bytes, queues = tonumber(ARGV[5]), tonumber(ARGV[7]), tonumber(ARGV[9])
local lists = 3
local now = now_ms()

if not redis.call('ZSCORE', KEYS[1], owner) then
    if ARGV[4] ~= 'begin' or redis.call('ZSCORE', P .. 'tasks.owners.expired', owner) then
        return { -1 }
    end
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), owner)
end

for i = 11 + queues, #ARGV do
    local space = string.find(ARGV[i], ' ', 1, true)
    local number = ARGV[i]
    if space then
        number = string.sub(ARGV[i], 1, space - 1)
        redis.call('DEL', P .. 'tasks.counts:' .. string.sub(ARGV[i], space + 1))
    end
    redis.call('HDEL', KEYS[2], number)
end

-- Its channel is closed, and this was on its way: nobody would hear of what it brings.
if redis.call('SISMEMBER', KEYS[3], 'closed') == 1 then return { 1 } end

local reply, counted = { 0 }, redis.call('EXISTS', P .. 'tasks.counted') == 1

local function tell(number, place, raw)
    local counts = counted and counts_read(P, raw) or { 0, 0, 0, 0 }
    reply[#reply + 1] = struct.pack('>I4I4I4I4I4I4', number, place, counts[1], counts[2], counts[3], counts[4]) .. raw
end

-- What was taken by a call whose answer was lost.
local last = tonumber(redis.call('HGET', KEYS[2], 'n') or 0)
if last > known then
    local places = {}
    for i = lists + 1, #KEYS do places[KEYS[i]] = i - lists end
    for number = known + 1, last do
        local record = redis.call('HGET', KEYS[2], number)
        if record then
            local key, raw = key_and_raw(record)
            tell(number, places[key] or 0, raw)
            room = room - 1
        end
    end
end
if room <= 0 or queues == 0 then
    reply[1] = 1 -- nobody has looked
    return reply
end

-- This write comes before the first pop: a server without memory to spare refuses here, and nothing is lost.
redis.call('HSET', KEYS[2], 'n', last)
local number = last

local function take(place, most)
    local key = KEYS[lists + place]
    local popped = redis.pcall('RPOP', key, most)
    if not popped or popped.err then return 0 end
    for _, raw in ipairs(popped) do
        number = number + 1
        if #raw > most_bytes then
            local counts = counts_read(P, raw)
            counts[1] = counts[1] + 1
            redis.call('HSET', KEYS[2], 'n', number) -- or the next one would get its number, and its entry in the intake
            intake_add(P, owner .. ':' .. number, 'too_large', key, raw, counts, owner, now)
        else
            redis.call('HSET', KEYS[2], 'n', number, number, record_of(now, key, raw))
            if ARGV[8] == '1' then redis.call('SADD', KEYS[3], number) end
            tell(number, place, raw)
        end
    end
    return #popped
end

local start = tonumber(ARGV[10])
for first = 0, #KEYS - lists - 1, queues do
    local found
    repeat
        found = 0
        for i = 0, queues - 1 do
            local queue = (start + i) % queues
            local most = math.min(room, tonumber(ARGV[11 + queue]))
            if most > 0 then
                local taken = take(first + queue + 1, most)
                found, room = found + taken, room - taken
            end
        end
    until found == 0 or room <= 0
    if room <= 0 then break end
end

if room > 0 then
    for i = lists + 1, #KEYS, 1000 do -- Lua's stack takes no more than 8,000 words at once
        redis.call('EXISTS', unpack(KEYS, i, math.min(i + 999, #KEYS)))
    end
else
    reply[1] = 1
end
return reply
