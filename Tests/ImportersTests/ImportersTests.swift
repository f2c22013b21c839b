import XCTest
import Importers
