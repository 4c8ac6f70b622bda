import unittest


class Here(unittest.TestCase):
    def test_here(self):
        self.assertEqual(type(self).__module__, '__main__')


program = unittest.main(exit=False, argv=['x', '-q', 'Here.test_here'], testRunner=unittest.TextTestRunner(stream=open('/dev/null', 'w')))
print(program.result.testsRun, program.result.wasSuccessful())
