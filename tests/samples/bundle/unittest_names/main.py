import io
import os
import unittest

loader = unittest.TestLoader()
suite = unittest.TestSuite([loader.loadTestsFromName('pack.test_leaf'), loader.loadTestsFromName('pack.test_leaf.Leaf.test_fails'), loader.discover(os.path.join(os.path.dirname(__file__), 'pack'), top_level_dir=os.path.dirname(__file__))])
result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
print(result, [str(test) for test, _ in result.failures])
