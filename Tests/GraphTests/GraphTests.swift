import XCTest
import Graph
