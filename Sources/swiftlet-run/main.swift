import Runner

DeviceProgram.run()
