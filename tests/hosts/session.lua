-- Makes a session for Ardour's export: tracks with the input file, some with Bunri.
-- The tests append the calls; see tests/src/ardour.rs.

local session

function begin(folder, rate)
	AudioEngine:set_backend("None (Dummy)", "", "")
	session = create_session(folder, "session", rate)
	assert(session, "no session in " .. folder)
end

-- A stereo track with the input file (the test puts it there), connected to the master bus.
function track(name)
	session:new_audio_track(2, 2, nil, 1, name, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true, false)
	local made = session:route_by_name(name)
	-- A thread connects new tracks as it sees fit; what is connected by hand comes after that.
	ARDOUR.LuaAPI.usleep(200000)
	connect(made, 0, 2)
	-- With ten outputs Ardour pans among them.
	made:panner_shell():set_bypassed(true)
	return made
end

-- Inserts Bunri; its five buses become the track's ten outputs, or two with `strict`.
function bunri(route, strict)
	route:set_strict_io(strict)
	local plugin = ARDOUR.LuaAPI.new_plugin(session, "Bunri", ARDOUR.PluginType.VST3, "")
	assert(not plugin:isnil(), "Ardour does not know Bunri: was it scanned?")
	assert(route:add_processor_by_index(plugin, 0, nil, true) == 0, "Bunri was not inserted")
	local outputs = strict and 2 or 10
	assert(route:n_outputs():n_audio() == outputs, route:n_outputs():n_audio() .. " outputs")
	return plugin
end

-- Makes the track's outputs first, first + 1, ... alone go to the master bus, left and right in turns.
function connect(route, first, count)
	local master = session:master_out():input()
	local output = route:output()
	for index = 0, output:n_ports():n_audio() - 1 do
		output:audio(index):disconnect_all()
	end
	for index = first, first + count - 1 do
		output:audio(index):connect(master:audio(index % 2):name())
	end
end

function invert(route)
	route:phase_control():set_phase_invert(0, true)
	route:phase_control():set_phase_invert(1, true)
end

-- The number of the parameter of that name.
function parameter(plugin, name)
	local insert = plugin:to_insert():plugin(0)
	for index = 0, insert:parameter_count() - 1 do
		if insert:parameter_label(index) == name then return index end
	end
	error("no parameter " .. name)
end

-- Values of VST3 parameters go from 0 to 1.
function set(plugin, parameter, value)
	assert(ARDOUR.LuaAPI.set_processor_param(plugin, parameter, value), "no parameter " .. parameter)
	-- It reaches the plugin with a block, and what is saved is the plugin's.
	ARDOUR.LuaAPI.usleep(500000)
end

-- Automates a parameter: a step from one value (0 to 1) to another at a sample, to within some
-- twenty, for Ardour counts in parts of a beat here.
function step(plugin, parameter, sample, before, after)
	local list, control_list = ARDOUR.LuaAPI.plugin_automation(plugin, parameter)
	assert(not list:isnil(), "parameter " .. parameter .. " cannot be automated")
	local function point(at, value) control_list:add(Temporal.timepos_t(at), value, false, true) end
	point(0, before)
	point(sample - 100, before)
	point(sample, after)
	local what = Evoral.Parameter(ARDOUR.AutomationType.PluginAutomation, 0, parameter)
	plugin:to_insert():to_automatable():automation_control(what, true):set_automation_state(ARDOUR.AutoState.Play)
end

function finish()
	session:save_state("")
	close_session()
	quit()
end
