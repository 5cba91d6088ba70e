-- Counts one request in several sliding windows: in all of them, or in none.
--
-- A window is cut into slots. Its key holds the slots that are not over, as a list of
-- slot numbers and counts, so it never grows. A slot counts until all of it is older
-- than the window: in no stretch of that length are more let in than the limit.
--
-- KEYS: a key a window. ARGV: the time in microseconds ('' for that of this server),
-- then for each window: limit, seconds, and what to do with it (0 only look, 1 count,
-- 2 count and tell). Answers with four numbers: 1 if let in, the window meant (the one
-- that refuses longest, or of those to tell the tightest; 0 for none), how many more it
-- lets in, and after how many microseconds it lets in the next one.

local SLOTS = 10

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function live_slots(packed, oldest)
  local live, used = {}, 0
  local slots = packed and cmsgpack.unpack(packed) or {}
  for i = 1, #slots, 2 do
    if slots[i] >= oldest then
      live[#live + 1] = slots[i]
      live[#live + 1] = slots[i + 1]
      used = used + slots[i + 1]
    end
  end
  return live, used
end

local function wait(live, used, limit, width)
  for i = 1, #live, 2 do
    used = used - live[i + 1]
    if used < limit then
      return (live[i] + SLOTS + 1) * width - now
    end
  end
end

local stored = redis.call('MGET', unpack(KEYS))
local windows = {}
local refusing, longest = 0, 0
local tightest, left = 0, 0

for i = 1, #KEYS do
  local limit = tonumber(ARGV[3 * i - 1])
  local width = tonumber(ARGV[3 * i]) * 1000000 / SLOTS
  local slot = math.floor(now / width)
  local live, used = live_slots(stored[i], slot - SLOTS)
  windows[i] = {live, slot, width}
  if used >= limit then
    local needed = wait(live, used, limit, width)
    if needed > longest then
      refusing, longest = i, needed
    end
  elseif ARGV[3 * i + 1] == '2' and (tightest == 0 or limit - used - 1 < left) then
    tightest, left = i, limit - used - 1
  end
end

if refusing > 0 then
  return {ok = string.format('0 %d 0 %d', refusing, longest)}
end

for i = 1, #KEYS do
  if ARGV[3 * i + 1] ~= '0' then
    local live, slot, width = unpack(windows[i])
    -- The clock of the server may have been set back: then the last slot counts on.
    if #live > 0 and live[#live - 1] >= slot then
      live[#live] = live[#live] + 1
    else
      live[#live + 1] = slot
      live[#live + 1] = 1
    end
    local lifetime = math.ceil(width * (SLOTS + 2) / 1000)
    redis.call('SET', KEYS[i], cmsgpack.pack(live), 'PX', lifetime)
  end
end

return {ok = string.format('1 %d %d 0', tightest, left)}
